"""What runs and is still almost surely wrong: each doubt is a warning with its step, and with edits that were tried."""
