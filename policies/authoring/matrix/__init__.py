"""Who may call what: identities x routes, and what the rules of a policy say about each pair."""
