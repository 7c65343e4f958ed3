# Sets PYTHON: the newest interpreter of this host that has libraries here. Read by /usr/bin/shipper and the
# package's scripts. Never searched on PATH: root runs shipper too. Debian's python3.X-minimal has no sqlite3:
# an interpreter counts where its whole standard library stands beside it.
PYTHON=
for version in 3.14 3.13 3.12 3.11; do
    if [ -x /usr/bin/python$version ] && [ -d /usr/lib/shipper/python$version ] &&
        { [ -d /usr/lib/python$version/sqlite3 ] || [ -d /usr/lib64/python$version/sqlite3 ]; }; then
        PYTHON=/usr/bin/python$version
        break
    fi
done
if [ -z "$PYTHON" ]; then
    echo "shipper: no Python of 3.11 to 3.14 in /usr/bin; install one, as python3.13 or python3.11" >&2
    exit 78
fi
