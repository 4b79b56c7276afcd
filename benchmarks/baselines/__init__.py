"""The same report for SFD and what stands beside it: a filter, a concept-erasing fine-tune, retraining without the
class."""
