# Source this file in bash: afterwards `python`, `ood` and the messages of this checkout are found.
#
#     source scripts/ros_environment.sh
#
# It puts the virtual environment .venv first, adds ROS 2 from wheels where no ROS installation is
# sourced, then this checkout's own build in install/.

_ood_package=install/ood_detection/share/ood_detection
_ood_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ ! -x "$_ood_root/.venv/bin/python" ] || [ ! -f "$_ood_root/$_ood_package/local_setup.bash" ]; then
  echo "ros_environment.sh: not set up yet: run \`make setup-runtime\` in $_ood_root" >&2
  unset _ood_root _ood_package
  return 2
fi

if [ -d "$_ood_root/.venv/share/rclpy" ]; then
  unset PYTHONPATH COLCON_PREFIX_PATH
  export AMENT_PREFIX_PATH="$_ood_root/.venv" CMAKE_PREFIX_PATH="$_ood_root/.venv"
  export LD_LIBRARY_PATH="$_ood_root/.venv/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
export PATH="$_ood_root/.venv/bin:$PATH"

# This package's own script: install/setup.bash starts Python and fails on a path with spaces. Both
# read variables that are not set.
case $- in *u*) _ood_nounset=1; set +u ;; *) _ood_nounset=0 ;; esac
source "$_ood_root/$_ood_package/local_setup.bash"
[ "$_ood_nounset" = 1 ] && set -u

# The sources before their installed copy, so that new modules are found without a build.
export PYTHONPATH="$_ood_root${PYTHONPATH:+:$PYTHONPATH}"
unset _ood_root _ood_package _ood_nounset
