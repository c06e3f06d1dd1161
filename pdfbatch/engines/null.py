"""The engine that reads nothing: a dry run that opens and judges every PDF, and a measure of the loop itself."""


class NullEngine:
    name = "null"

    @property
    def page_task(self) -> None:
        return None
