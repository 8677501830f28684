"""What the export, the client and the Triton models agree on. docs/contract.md describes it in prose."""
