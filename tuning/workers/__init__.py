"""Workers: the processes that hold devices and train trials."""
