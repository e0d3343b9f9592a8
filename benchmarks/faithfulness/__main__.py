from benchmarks.faithfulness.measure import main

main()
