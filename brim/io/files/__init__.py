"""Files: what all file formats share: paths, schemas, cutting, and appearing whole or not at all."""
