"""The four registries on loopback, for staging and for rehearsals."""
