"""The model card's section on the meta classifier, replaced whenever it is fitted again."""

from __future__ import annotations

from ood_perception.bundle import Bundle
from ood_perception.errors import OodError
from ood_perception.manifest import MetaClassifierSpec, PromiseSpec

CARD_NAME = "README.md"
_BEGIN = "<!-- begin: written by ood meta train -->"
_END = "<!-- end: written by ood meta train -->"


def read_card(bundle: Bundle) -> str:
    """The bundle's model card, or the beginning of one. Raises OodError if it cannot be read."""
    path, manifest = bundle.folder / CARD_NAME, bundle.manifest
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        trained = manifest.provenance
        return (
            f"# Model card: {manifest.name}\n\n"
            f"* **Data**: {trained.trained_on}\n* **Terms**: {trained.terms}\n"
        )
    except (OSError, UnicodeDecodeError) as error:
        raise OodError(f"cannot read the model card {path}: {error}") from error


def replace_meta_section(card: str, spec: MetaClassifierSpec, decision_by: str) -> str:
    """The card with the section on this classifier in the place of the former, or at its end.

    decision_by: how the decision was chosen, in words. Raises OodError for a card in which one of
    the section's two marks is missing or stands twice.
    """
    section = f"{_BEGIN}\n{_section(spec, decision_by)}{_END}"
    if _BEGIN not in card and _END not in card:
        return f"{card.rstrip()}\n\n{section}\n"
    before, _, rest = card.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end or _END in before or _BEGIN in rest or _END in after:
        raise OodError(
            f"{CARD_NAME}: the section between {_BEGIN!r} and {_END!r} is torn: remove what is "
            "left of it"
        )
    return f"{before}{section}{after}"


def promise_in_words(promise: PromiseSpec) -> str:
    """What is promised, of what, and on what grounds."""
    return (
        f"of the real obstacles that the score hits, an expected share of at most "
        f"{promise.alpha:g} is dropped. It speaks only of objects that the score hit, on data "
        f"alike ({promise.source}), on the average over such calibrations: not of objects that "
        f"the score misses, and not of a single drive. Conformal risk control on "
        f"{promise.objects} objects of {promise.sequences} sequences ({promise.split}), of which "
        f"the decision drops a share of {promise.risk:.3g}; it counts each object as a draw of its "
        "own, while objects of one sequence resemble each other"
    )


def _section(spec: MetaClassifierSpec, decision_by: str) -> str:
    promise = "none" if spec.promise is None else promise_in_words(spec.promise)
    lines = [
        f"* **Kind**: {spec.kind} over {len(spec.metric_names)} metrics.",
        f"* **Fitted on**: {spec.training_source}, components of {spec.score} >= "
        f"{spec.threshold:g}.",
        f"* **Decision**: dropped when P(false positive) > {spec.decision:.6g}; {decision_by}.",
        f"* **Promise**: {promise}.",
    ]
    return "## Meta classifier\n\n" + "\n".join(lines) + "\n"
