-- The second wall around requests to cancel or rebook: the patient's own, and the trust's. No carer sees them.

CALL wall('change_requests', $$
    trust_id = ANY((SELECT served_trusts())::uuid[]) OR patient_id = ANY((SELECT own_boxes())::uuid[])
$$);

-- A task may be about such a request.
DROP POLICY seen ON tasks;
DROP POLICY added ON tasks;
DROP POLICY changed ON tasks;
DROP POLICY removed ON tasks;
CALL wall('tasks', $$
    trust_id = ANY((SELECT served_trusts())::uuid[]) OR EXISTS (SELECT FROM cases c WHERE c.id = tasks.case_id)
    OR EXISTS (SELECT FROM letters l WHERE l.id = tasks.letter_id)
    OR EXISTS (SELECT FROM change_requests r WHERE r.id = tasks.request_id)
$$);
