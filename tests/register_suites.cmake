# cmake -D PROGRAM=... -D KIND=... -D TIMEOUT_S=... -D OUTPUT=... -P register_suites.cmake
#
# Writes a ctest test for each suite of a GoogleTest program: what takes longer to begin
# with than a test takes is done once a suite.
execute_process(COMMAND ${PROGRAM} --gtest_list_tests OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "(^|\n)[^ \n]+\\." suites "${listing}")
set(script "")
foreach(suite IN LISTS suites)
  string(REGEX REPLACE "^\n|\\.$" "" suite "${suite}")
  set(name "${KIND}.${suite}")
  string(APPEND script "add_test([==[${name}]==] \"${PROGRAM}\" --gtest_brief=1 [==[--gtest_filter=${suite}.*]==])\n"
    "set_tests_properties([==[${name}]==] PROPERTIES LABELS ${KIND} TIMEOUT ${TIMEOUT_S} SKIP_RETURN_CODE 77)\n")
endforeach()
file(WRITE ${OUTPUT} "${script}")
