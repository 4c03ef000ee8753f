"""The demand models beside their peers, on the same folds of four public data sets."""
