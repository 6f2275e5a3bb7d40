{{ checked_rows('campaign_events', source('raw', 'campaign_events'), references={'campaign_id': ref('stg_campaigns')}) }}
