{{ checked_rows('survey_responses', source('raw', 'survey_responses')) }}
