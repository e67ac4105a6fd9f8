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
    local project="$1" dll log status=0 summary started=$SECONDS
    dll="$(compgen -G "$root/tests/$project.Tests/bin/Release/net10.0/*$project.Tests.dll" | head -n 1 || true)"
    echo "== $project"
    if [[ -z "$dll" ]]; then
        echo "   not built: $root/tests/$project.Tests is not named in Rlhf.Onnx.sln"
        failed=$((failed + 1))
        return
    fi
    log="$(mktemp)"
    dotnet test "$dll" --nologo --logger 'console;verbosity=minimal' "${runner[@]}" 2>&1 | tee "$log" |
        sed -u -E -e '/^(Passed|Failed|Skipped)!  - Failed:/d' -e '/^A total of 1 test files matched/d' -e '/^Test run for /d' -e '/^Starting test execution/d' -e '/^[[:space:]]*$/d' -e 's/^/   /' || status=$?
    summary="$(sed -n -E 's/^(Passed|Failed|Skipped)! +- Failed: +([0-9]+), Passed: +([0-9]+), Skipped: +([0-9]+),.*/\2 \3 \4/p' "$log" | tail -n 1)"
    if [[ -n "$summary" ]]; then
        local f p s
        read -r f p s <<< "$summary"
        failed=$((failed + f)) passed=$((passed + p)) skipped=$((skipped + s))
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
        failed=$((failed + 1))
    fi
    rm -f "$log"
}
