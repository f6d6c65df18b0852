"""What the checks look at: each function takes what was planned, stamped or built, and reports what is wrong."""
