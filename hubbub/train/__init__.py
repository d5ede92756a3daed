"""Trains, tunes and evaluates the model on a corpus, through failures; posts reach it as tokens only."""
