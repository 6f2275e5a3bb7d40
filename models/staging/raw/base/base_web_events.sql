{{ checked_rows('web_events', source('raw', 'web_events')) }}
