-- The second wall. The server's own checks decide who sees what; if one of them is ever forgotten, the rows of other
-- people still do not come out, because every transaction names its principal and these policies go by it.
-- They bind `letterbox_app` only: the owning role migrates and repairs.

-- The transaction's principal: `account:<id>`, `trust:<id>`, `node:<id>` or `anonymous`. Unset, nobody: nothing is seen.
CREATE FUNCTION principal_is_node() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT coalesce(current_setting('letterbox.principal', true) LIKE 'node:%', false) $$;

CREATE FUNCTION principal_id(kind text) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN split_part(current_setting('letterbox.principal', true), ':', 1) = kind
                 THEN split_part(current_setting('letterbox.principal', true), ':', 2)::uuid END $$;

-- The functions below read tables past their policies, as their owner; else a policy would ask itself.

-- The mailboxes whose patient the principal is.
CREATE FUNCTION own_boxes() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public
    AS $$ SELECT coalesce(array_agg(patient_id), '{}') FROM memberships
          WHERE account_id = principal_id('account') AND left_at IS NULL $$;

-- The mailboxes that are shared with the principal: with this box ticked, or (NULL) with any grant that stands.
CREATE FUNCTION shared_boxes(tick text) RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public
    AS $$ SELECT coalesce(array_agg(patient_id), '{}') FROM grants
          WHERE carer_account_id = principal_id('account') AND revoked_at IS NULL AND (tick IS NULL OR tick = ANY(ticks)) $$;

-- The trusts for which the principal works: a hospital's system, or one of its staff.
CREATE FUNCTION served_trusts() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public
    AS $$ SELECT CASE WHEN principal_id('trust') IS NOT NULL THEN ARRAY[principal_id('trust')] ELSE
              (SELECT coalesce(array_agg(DISTINCT trust_id), '{}') FROM staff_roles WHERE account_id = principal_id('account'))
          END $$;

-- Whether a trust of the principal has told us about this patient.
CREATE FUNCTION is_served_patient(patient uuid) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public
    AS $$ SELECT EXISTS (SELECT FROM patient_sources s WHERE s.patient_id = patient AND s.trust_id = ANY(served_trusts()))
              OR EXISTS (SELECT FROM letters l WHERE l.patient_id = patient AND l.trust_id = ANY(served_trusts()))
              OR EXISTS (SELECT FROM appointments a WHERE a.patient_id = patient AND a.trust_id = ANY(served_trusts())) $$;

-- Whose a letter is, for the audit of a look that was refused: ids, nothing else.
CREATE FUNCTION whose_letter(letter uuid) RETURNS TABLE (trust_id uuid, patient_id uuid) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
    AS $$ SELECT l.trust_id, l.patient_id FROM letters l WHERE l.id = letter $$;

-- Seen and changed by the same rule; whoever may not see a row cannot touch it. Rows are added by the commands
-- alone, which hold their own checks, so adding is not judged here.
CREATE PROCEDURE wall(wanted regclass, rule text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', wanted);
    EXECUTE format('CREATE POLICY seen ON %s FOR SELECT TO letterbox_app USING ((SELECT principal_is_node()) OR %s)', wanted, rule);
    EXECUTE format('CREATE POLICY added ON %s FOR INSERT TO letterbox_app WITH CHECK (true)', wanted);
    EXECUTE format('CREATE POLICY changed ON %s FOR UPDATE TO letterbox_app USING ((SELECT principal_is_node()) OR %s) WITH CHECK (true)', wanted, rule);
    EXECUTE format('CREATE POLICY removed ON %s FOR DELETE TO letterbox_app USING ((SELECT principal_is_node()) OR %s)', wanted, rule);
END
$$;

CALL wall('letters', $$
    trust_id = ANY((SELECT served_trusts())::uuid[])
    OR patient_id = ANY((SELECT own_boxes())::uuid[])
    OR (NOT restricted AND hidden_at IS NULL AND (
        kind = 'appointment' AND patient_id = ANY((SELECT shared_boxes('appointment_letters'))::uuid[])
        OR kind = 'clinic' AND patient_id = ANY((SELECT shared_boxes('clinic_letters'))::uuid[])))
$$);
CALL wall('appointments', $$
    trust_id = ANY((SELECT served_trusts())::uuid[])
    OR patient_id = ANY((SELECT own_boxes())::uuid[])
    OR (NOT restricted AND hidden_at IS NULL AND patient_id = ANY((SELECT shared_boxes('appointments'))::uuid[]))
$$);
-- A document is seen with a letter that is.
CREATE INDEX letters_document ON letters (document_id);
CALL wall('documents', $$
    trust_id = ANY((SELECT served_trusts())::uuid[]) OR EXISTS (SELECT FROM letters l WHERE l.document_id = documents.id)
$$);
CALL wall('events', $$
    patient_id = ANY((SELECT own_boxes())::uuid[])
    OR EXISTS (SELECT FROM letters l WHERE l.id = events.letter_id AND l.trust_id = ANY((SELECT served_trusts())::uuid[]))
    OR EXISTS (SELECT FROM appointments a WHERE a.id = events.appointment_id AND a.trust_id = ANY((SELECT served_trusts())::uuid[]))
    OR (NOT restricted AND patient_id = ANY((SELECT shared_boxes(NULL))::uuid[])
        AND CASE share
            WHEN 'appointments' THEN patient_id = ANY((SELECT shared_boxes('appointments'))::uuid[])
            WHEN 'appointment_letters' THEN patient_id = ANY((SELECT shared_boxes('appointment_letters'))::uuid[])
            WHEN 'clinic_letters' THEN patient_id = ANY((SELECT shared_boxes('clinic_letters'))::uuid[])
            WHEN 'questionnaires' THEN patient_id = ANY((SELECT shared_boxes('questionnaires'))::uuid[])
            WHEN 'trackers' THEN patient_id = ANY((SELECT shared_boxes('trackers'))::uuid[])
            ELSE false END)
$$);
CALL wall('patients', $$
    (SELECT principal_id('trust')) IS NOT NULL -- a trust finds a patient whom another trust told us about by the NHS number
    OR id = ANY((SELECT own_boxes())::uuid[]) OR id = ANY((SELECT shared_boxes(NULL))::uuid[])
    OR is_served_patient(id)
$$);
CALL wall('patient_sources', $$
    trust_id = ANY((SELECT served_trusts())::uuid[]) OR patient_id = ANY((SELECT own_boxes())::uuid[])
$$);
CALL wall('memberships', $$
    (SELECT principal_id('trust')) IS NOT NULL
    OR account_id = (SELECT principal_id('account')) OR patient_id = ANY((SELECT shared_boxes(NULL))::uuid[])
    OR is_served_patient(patient_id)
$$);
CALL wall('grants', $$
    carer_account_id = (SELECT principal_id('account')) OR patient_id = ANY((SELECT own_boxes())::uuid[])
$$);
-- What follows from a letter or an appointment is seen with it.
CALL wall('cases', $$
    trust_id = ANY((SELECT served_trusts())::uuid[])
    OR EXISTS (SELECT FROM letters l WHERE l.id = cases.letter_id)
    OR EXISTS (SELECT FROM appointments a WHERE a.id = cases.appointment_id)
$$);
CALL wall('dispatches', $$
    trust_id = ANY((SELECT served_trusts())::uuid[]) OR EXISTS (SELECT FROM cases c WHERE c.id = dispatches.case_id)
$$);
CALL wall('attempts', $$ EXISTS (SELECT FROM dispatches d WHERE d.id = attempts.dispatch_id) $$);
CALL wall('print_items', $$ EXISTS (SELECT FROM dispatches d WHERE d.id = print_items.dispatch_id) $$);
CALL wall('notices', $$
    trust_id = ANY((SELECT served_trusts())::uuid[]) OR EXISTS (SELECT FROM cases c WHERE c.id = notices.case_id)
$$);
CALL wall('tasks', $$
    trust_id = ANY((SELECT served_trusts())::uuid[]) OR EXISTS (SELECT FROM cases c WHERE c.id = tasks.case_id)
    OR EXISTS (SELECT FROM letters l WHERE l.id = tasks.letter_id)
$$);
CALL wall('disputes', $$ EXISTS (SELECT FROM letters l WHERE l.id = disputes.letter_id) $$);
CALL wall('bad_contacts', $$ EXISTS (SELECT FROM patients p WHERE p.id = bad_contacts.patient_id) $$);
CALL wall('quarantine', $$ trust_id = ANY((SELECT served_trusts())::uuid[]) $$);
CALL wall('history', $$
    trust_id = ANY((SELECT served_trusts())::uuid[]) OR patient_id = ANY((SELECT own_boxes())::uuid[])
$$);
CALL wall('audit', $$
    trust_id = ANY((SELECT served_trusts())::uuid[]) OR patient_id = ANY((SELECT own_boxes())::uuid[])
    OR account_id = (SELECT principal_id('account'))
$$);
CALL wall('receipts', $$ account_id = (SELECT principal_id('account')) $$);
