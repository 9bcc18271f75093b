/** What an issuer refuses a sign-in with, in plain words. Pure. */

const OF_AUTHORIZATION: Record<string, string> = {
  access_denied: "You were not let in: the sign-in was declined, by you or by the issuer.",
  login_required: "The issuer asks you to sign in again.",
  interaction_required: "The issuer asks you to sign in again.",
  consent_required: "The issuer asks for your consent, or for that of whoever runs it.",
  account_selection_required: "The issuer asks which account you mean: sign in again.",
  invalid_scope: "The issuer does not give this page what it asks for (client_scope).",
  unauthorized_client: "The issuer does not let this page sign people in (client_id).",
  invalid_request: "The issuer does not understand how this page asks (client_parameters).",
  unsupported_response_type: "The issuer has no authorization code flow for this page.",
  server_error: "The issuer has met an error: try again in a while.",
  temporarily_unavailable: "The issuer is busy or away: try again in a while.",
};

const OF_TOKENS: Record<string, string> = {
  invalid_grant: "The issuer does not take its own answer any more: it is used up or too old. Sign in again.",
  invalid_client: "The issuer does not know this page as a public client (client_id), one without a secret.",
  unauthorized_client: "The issuer does not let this page sign people in (client_id).",
  invalid_scope: "The issuer does not give this page what it asks for (client_scope).",
  invalid_target: "The issuer knows no such audience (client_parameters).",
};

/** `error` and `error_description` of RFC 6749; the description is the issuer's text, to be shown as text. */
export function inWords(error: string, description: string | undefined, tokens = false): string {
  const said = (tokens ? OF_TOKENS : OF_AUTHORIZATION)[error] ?? `The issuer refused: ${error}.`;
  return description ? `${said} It says: ${description}` : said;
}
