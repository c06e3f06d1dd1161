"""The page as a person sees it: what the picture shows is held against what the text layer says."""
