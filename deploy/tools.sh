#!/bin/sh
# Looks for what a machine must bring: Python 3.11 with venv, and Java 17 or later. Says in one line what is missing
# and what to do. `deploy/tools.sh python` prints the Python to use; `deploy/tools.sh java` prints nothing.
# PYTHON and JAVA_HOME name others than those on the PATH.

fail() { echo "error: $1" >&2; exit 1; }

version_of_python() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

find_python() {
    found=
    for candidate in ${PYTHON:-python3.11 python3 python}; do
        version=$(version_of_python "$candidate") || continue
        [ "$version" = 3.11 ] && { suitable=$candidate; break; }
        found="$found $candidate is $version;"
    done
    remedy="install it (Debian: apt install python3.11 python3.11-venv; macOS: brew install python@3.11) or name it: make PYTHON=/path/to/python3.11"
    [ -n "$suitable" ] || fail "Python 3.11 is needed,${found:- none was found;} $remedy"
    "$suitable" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$suitable cannot make virtual environments: install its venv module (Debian: apt install python3.11-venv)"
    echo "$suitable"
}

check_java() {
    java=java
    place="on the PATH"
    [ -z "$JAVA_HOME" ] || { java=$JAVA_HOME/bin/java; place="in JAVA_HOME=$JAVA_HOME"; }
    remedy="install it (Debian: apt install openjdk-17-jre-headless; macOS: brew install openjdk@17) or set JAVA_HOME to it"
    text=$("$java" -version 2>&1) || fail "Java 17 or later is needed, none that works is $place: $remedy"
    # 'openjdk version "17.0.15"'; before Java 9 it was "1.8.0".
    version=$(echo "$text" | sed -n 's/.* version "\([0-9][0-9]*\)[".+-].*/\1/p' | head -n 1)
    [ -n "$version" ] || fail "Java 17 or later is needed, the one $place does not tell its version: $remedy"
    [ "$version" -ge 17 ] || fail "Java 17 or later is needed, the one $place is Java $version: $remedy"
}

case $1 in
    python) find_python ;;
    java) check_java ;;
    *) fail "usage: deploy/tools.sh python|java" ;;
esac
