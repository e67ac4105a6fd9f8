# ./rlhf test: runs the test projects one after the other and adds up. Sourced by ./rlhf.

# run_tests [NAME...] [-- ARGS]: NAME is the folder under tests, with or without '.Tests'; ARGS go to the test runner.
run_tests() {
    local names=() runner=() project
    while (($#)) && [[ "$1" != -- ]]; do names+=("${1%.Tests}"); shift; done
    if (($#)); then shift; runner=("$@"); fi
    if ! ((${#names[@]})); then
        for project in "$root"/tests/*.Tests; do project="${project##*/}"; names+=("${project%.Tests}"); done
    fi
    for project in "${names[@]}"; do
        if [[ ! -d "$root/tests/$project.Tests" ]]; then
            say "there is no tests/$project.Tests; there are: $(cd "$root/tests" && echo *.Tests)"
            exit 2
        fi
    done

    engine_environment
    local passed=0 failed=0 skipped=0
    for project in "${names[@]}"; do run_test_project "$project"; done
    ((skipped == 0)) || echo "$skipped skipped; each says why above"
    echo "$passed passed, $failed failed"
    ((failed == 0))
}

# Adds to passed, failed and skipped. A project that ends without a count (a crash, a missing library) is a failure.
run_test_project() {
    local project="$1" dll log status=0 started=$SECONDS
    dll="$(compgen -G "$root/tests/$project.Tests/bin/Release/net10.0/*$project.Tests.dll" | head -n 1 || true)"
    echo "== $project"
    if [[ -z "$dll" ]]; then
        echo "   not built: $root/tests/$project.Tests is not named in Rlhf.Onnx.sln"
        failed=$((failed + 1))
        return
    fi
    log="$(mktemp)"
    DOTNET_CLI_UI_LANGUAGE=en dotnet test "$dll" --nologo --logger 'console;verbosity=normal' "${runner[@]}" 2>&1 | tee "$log" | only_what_matters || status=$?
    if grep -q '^Total tests: ' "$log"; then
        local p f s
        p="$(count_of Passed "$log")" f="$(count_of Failed "$log")" s="$(count_of Skipped "$log")"
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
        # A non-zero exit without a failed test: something outside the tests went wrong, as a crash after the last of them.
        if ((status != 0 && f == 0)); then
            echo "   the test host ended with exit code $status"
            failed=$((failed + 1))
        fi
        echo "   $p passed, $f failed, $s skipped in $((SECONDS - started)) s"
    elif ((status == 0)) && grep -q 'No test matches' "$log"; then
        echo "   no test matches"
    else
        echo "   ended with exit code $status and no result: the test host crashed or could not start"
        tail -n 40 "$log" | sed "s/^/   /"
        failed=$((failed + 1))
    fi
    rm -f "$log"
}

# Failures with all that the test wrote, why a test was skipped ('Name: skipped: why'), and the end of the test host where it is not its usual one.
only_what_matters() {
    awk '/^  Failed / { failed = 1 }
         /^  (Passed|Skipped) .*\]$/ || /^(NUnit Adapter|Test Run|Total tests:) / { failed = 0 }
         /[^[:space:]]/ && (failed || /: skipped: / || /Unhandled exception|[Tt]est host process crashed|test run was aborted/) { print "   " $0; fflush() }'
}

# A count at the end of the runner's output, which leaves out zeros.
count_of() {
    local count
    count="$(sed -n -E "s/^ +$1: ([0-9]+)\$/\1/p" "$2" | tail -n 1)"
    echo "${count:-0}"
}
