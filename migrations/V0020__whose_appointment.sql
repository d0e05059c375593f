-- An attempt at somebody else's appointment is written down like one at a letter: by ids, past the second wall.
CREATE FUNCTION whose_appointment(appointment uuid) RETURNS TABLE (trust_id uuid, patient_id uuid) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
    AS $$ SELECT a.trust_id, a.patient_id FROM appointments a WHERE a.id = appointment $$;
