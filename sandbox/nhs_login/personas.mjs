// The people of the stand-in: everybody is made up. NHS numbers are of the range that belongs to nobody, phone
// numbers of the range for fiction, GP practices of the sample list in config/practices.json.

const HEREFORD = "Z00001";
const WORCESTER = "Z00004";
const BRISTOL = "Z05001"; // in neither list: England, outside the area
const MONMOUTH = "Z09001";

function person(sub, given, family, born, number, more = {}) {
  const key = sub.replace(/^nhs-/, "");
  return {
    sub, about: "", refuses: false,
    claims: {
      given_name: given, family_name: family, birthdate: born, nhs_number: number,
      vot: "P9.Cp.Cd", identity_proofing_level: "P9",
      email: `${key}@example.test`, email_verified: true,
      phone_number: `+4477009002${number.slice(-3, -1)}`, phone_number_verified: true,
      gp_registration_details: { gp_ods_code: HEREFORD },
      ...more.claims,
    },
    ...(more.about ? { about: more.about } : {}),
    ...(more.refuses ? { refuses: true } : {}),
  };
}

const gp = (code) => ({ gp_registration_details: { gp_ods_code: code } });

// Fifteen years and a bit, whenever this is run.
const fifteen = () => `${new Date().getUTCFullYear() - 15}-01-01`;

export const personas = [
  person("nhs-nadia", "Nadia", "Rahman", "1968-05-14", "9990000204",
    { about: "GP in Hereford. Has not joined yet." }),
  person("nhs-owen", "Owen", "Tudge", "1959-02-28", "9990000212",
    { about: "GP in Worcester. Has not joined yet.", claims: gp(WORCESTER) }),
  person("nhs-wendy", "Wendy", "Lacon", "1974-09-30", "9990000352",
    { about: "GP in Hereford. Has not made up her mind." }),
  person("margaret", "Margaret", "Preece", "1951-04-03", "9990000018", { about: "Joined before." }),
  person("gwyn", "Gwyn", "Parry", "1951-04-03", "9990000026", { about: "Joined before." }),
  person("susan", "Susan", "Hughes", "1979-08-21", "9990000220",
    { about: "Margaret’s daughter. Lives in Bristol and helps her mother.", claims: gp(BRISTOL) }),
  person("nhs-p5", "Pavel", "Novak", "1990-10-02", "9990000239",
    { about: "Has not finished proving who he is (P5).", claims: { vot: "P5.Cp.Cd", identity_proofing_level: "P5" } }),
  person("nhs-young", "Yasmin", "Cole", fifteen(), "9990000247", { about: "Is 15." }),
  person("nhs-bristol", "Brian", "Atkins", "1971-11-30", "9990000255",
    { about: "GP in Bristol.", claims: gp(BRISTOL) }),
  person("nhs-wales", "Rhian", "Evans", "1966-03-01", "9990000263",
    { about: "GP in Monmouth, Wales.", claims: gp(MONMOUTH) }),
  person("nhs-refuses", "Norman", "Keys", "1948-07-05", "9990000271",
    { about: "Does not let us know who he is.", refuses: true }),
  person("nhs-unverified", "Una", "Birch", "1985-12-12", "9990000298",
    { about: "Has not confirmed her email address.", claims: { email_verified: false } }),
  person("nhs-shared", "Harold", "Preece", "1949-01-09", "9990000301",
    { about: "Shares Margaret’s email address.", claims: { email: "Margaret@Example.test" } }),
  person("nhs-changed", "Ivor", "Tandy", "1951-04-03", "9990000328",
    { about: "Joined before; has another NHS number now." }),
  person("nhs-moved", "Moira", "Whitcombe", "1951-04-03", "9990000336",
    { about: "Joined before; has moved to Bristol.", claims: gp(BRISTOL) }),
];
