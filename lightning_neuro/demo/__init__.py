"""The demo: three models on three targets, each trained, deployed and proved, in one table and on one page."""
