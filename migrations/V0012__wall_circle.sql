-- The second wall around invitations and mails to accounts.
CALL wall('invitations', $$ patient_id = ANY((SELECT own_boxes())::uuid[]) $$);
CALL wall('account_mails', $$
    account_id = (SELECT principal_id('account'))
    OR EXISTS (SELECT FROM invitations i WHERE i.id = account_mails.invitation_id)
$$);
