"""How often 95% intervals hold the truth of simulated companies, and whether they are as wide as the errors ask for.

companies: which companies are simulated, kind ones and unkind ones
models: the project's SQL, compiled once, to be run in memory
simulated: what that SQL reads of a company, and the truth of it
predictions: the refit on the company's purchases
estimates: what is judged, as SQL that sets the marts beside the truth
judging: the statistics
report: docs/coverage.md
"""
