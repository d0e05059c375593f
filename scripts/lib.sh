# Shared by the scripts beside it; sourced, never run. Sets the working folder to the repository's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() { warn "error: $*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" -eq 0 ]; }

# True when `SKIP` (words split by commas or blanks) names $1.
skipped() { [[ ",${SKIP:-}," == *[,\ ]"$1"[,\ ]* ]]; }

# Where PostgreSQL's data and fetched programs live: never inside the checkout, which may lie below a 0700 folder.
data_home() {
    if is_root; then echo /var/lib/letterbox; else echo "${XDG_DATA_HOME:-$HOME/.local/share}/letterbox"; fi
}

# True when FILE holds exactly TEXT: `stamped FILE TEXT`. With it a step knows that its inputs have not changed.
stamped() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }
