"""The demo app: a template and a published model revision in, the files of a Space that runs it out."""
