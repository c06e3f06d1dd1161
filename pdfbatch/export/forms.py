"""The formats by name. Each loads its libraries only when it is used."""

from __future__ import annotations

from pdfbatch.export.export import Form
from pdfbatch.export.inputs import InputFiles
from pdfbatch.records import ExportOptions
from pdfbatch.store import Store


def make_form(options: ExportOptions, output: Store, dest: Store, inputs: InputFiles) -> Form:
    match options.format:
        case "parquet":
            from pdfbatch.export.rows import DocumentRows

            return DocumentRows()
        case "dolma":
            from pdfbatch.export.dolma import DolmaDocuments

            return DolmaDocuments(options.compression)
        case "markdown":
            from pdfbatch.export.markdown_files import MarkdownFiles

            return MarkdownFiles(output, dest, front_matter=options.front_matter)
    raise NotImplementedError
