"""What users of other libraries have, as ours."""
