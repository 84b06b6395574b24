DROP TABLE audit_events, throttles, invitations, setup_tokens, user_tokens, registrations, users;
