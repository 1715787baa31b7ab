"""From a trainset to batches: tokenizer, chat template, rows, packing, order."""
