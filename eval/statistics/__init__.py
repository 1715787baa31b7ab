"""What scores on some items say about others: intervals, comparisons, power. Arrays in, numbers out.

After Miller 2024, "Adding Error Bars to Evals" (arXiv 2411.00640): items are a sample of all items that could be asked,
configurations are compared item by item, and items of one cluster are drawn together.
"""
