"""Show people the results: HTML pages, drawings of what the model computes, event files."""
