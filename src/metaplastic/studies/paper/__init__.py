"""Every experiment of Metz et al. 2018, and some beyond it: measured, drawn, judged.

`run.reproduce` is what the command line calls; `experiment.AbstractExperiment` says what an
experiment is, `catalog.EXPERIMENTS` lists all, `results` keeps what was measured.
"""
