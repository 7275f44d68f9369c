"""What every HTTP answer shares: who is calling, strict bodies, problems, pages, the log of requests."""
