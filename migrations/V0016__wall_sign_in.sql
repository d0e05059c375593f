-- Nobody looks at visits, at the undecided or at mismatches but the server itself, which has its own checks.
CALL wall('sign_ins', 'false');
CALL wall('joinings', 'false');
CALL wall('identity_mismatches', 'false');
