"""Between text and token ids: characters, byte pairs trained here, and vocabularies that others trained."""
