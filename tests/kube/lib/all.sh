# All functions of the cluster tests.
# shellcheck shell=bash

KUBE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ROOT=${ROOT:-$(cd "$KUBE/../.." && pwd)}
# shellcheck source=tests/kube/lib/settings.sh
. "$KUBE/lib/settings.sh"
# shellcheck source=tests/kube/lib/common.sh
. "$KUBE/lib/common.sh"
# shellcheck source=tests/kube/lib/node.sh
. "$KUBE/lib/node.sh"
# shellcheck source=tests/kube/lib/specs.sh
. "$KUBE/lib/specs.sh"
# shellcheck source=tests/kube/lib/records.sh
. "$KUBE/lib/records.sh"
# shellcheck source=tests/kube/lib/cluster.sh
. "$KUBE/lib/cluster.sh"
# shellcheck source=tests/kube/lib/shapes.sh
. "$KUBE/lib/shapes.sh"
# shellcheck source=tests/kube/lib/chart.sh
. "$KUBE/lib/chart.sh"
# shellcheck source=tests/kube/lib/files.sh
. "$KUBE/lib/files.sh"
# shellcheck source=tests/kube/lib/diagnose.sh
. "$KUBE/lib/diagnose.sh"
