with needed as (
    select 'service_targets' as seed, count(*) as found from {{ ref('service_targets') }}
    where priority = 'default'
    union all
    select 'feedback_topic_labels' as seed, count(*) as found from {{ ref('feedback_topic_labels') }}
    where topic = 'unmatched'
    union all
    select 'ticket_matching_settings' as seed, count(*) as found from {{ ref('ticket_matching_settings') }}
    where minimum_pairs >= 2
    union all
    select 'ticket_match_bands, purchase_number from 1' as seed, count(*) as found from {{ ref('ticket_match_bands') }}
    where covariate = 'purchase_number' and band_from = 1
    union all
    select 'ticket_match_bands, mean_interval_days from 0' as seed, count(*) as found from {{ ref('ticket_match_bands') }}
    where covariate = 'mean_interval_days' and band_from = 0
)

select seed, found
from needed
where found != 1
