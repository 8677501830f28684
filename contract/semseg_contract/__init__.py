"""What export, client and the Triton models agree on. docs/contract.md says the same in prose."""
