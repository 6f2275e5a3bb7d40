with

consents as (
    select * from {{ ref('stg_consents') }}
),

aliases as (
    select * from {{ ref('int_customer_aliases_listed') }}
),

run_context as (
    select as_of_date, business_timezone from {{ ref('run_context') }}
),

known_consents as (
    select
        coalesce(aliases.customer_id, consents.customer_id) as customer_id,
        consents.channel,
        consents.is_granted,
        consents.recorded_at
    from consents
    cross join run_context
    left join aliases on consents.customer_id = aliases.alias_id
    where {{ business_day('consents.recorded_at', 'run_context.business_timezone') }} <= run_context.as_of_date
),

channels as (
    select channel from {{ ref('contact_channels') }}
),

-- a consent for `all` is one for each channel
channel_consents as (
    select
        known_consents.customer_id,
        channels.channel,
        known_consents.is_granted,
        known_consents.recorded_at,
        known_consents.channel as recorded_channel
    from known_consents
    inner join channels on known_consents.channel = channels.channel or known_consents.channel = 'all'
),

ranked_consents as (
    select
        *,
        row_number() over (
            partition by customer_id, channel
            -- at the same instant a withdrawal wins: not contacting is the mistake that can be mended
            order by recorded_at desc nulls last, is_granted asc nulls last, recorded_channel asc nulls last
        ) as recency_rank
    from channel_consents
),

final as (
    select
        customer_id,
        channel,
        is_granted,
        recorded_at
    from ranked_consents
    where recency_rank = 1
)

select * from final
