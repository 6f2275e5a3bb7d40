{{ checked_rows('survey_invitations', source('raw', 'survey_invitations')) }}
