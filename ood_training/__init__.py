"""What makes the models: entropy maximisation, meta classification, evaluation and export."""
