"""shipper: ships log files to the OneAgent log ingest API and can prove that no line was lost."""

__version__ = "0.1.0"
