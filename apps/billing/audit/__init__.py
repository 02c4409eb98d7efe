"""The proof that the ledger, invoices and wallets say what the roll-ups say: each difference named."""
