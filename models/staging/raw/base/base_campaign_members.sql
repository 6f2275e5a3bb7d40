{{ checked_rows('campaign_members', source('raw', 'campaign_members'), references={'campaign_id': ref('stg_campaigns')}) }}
