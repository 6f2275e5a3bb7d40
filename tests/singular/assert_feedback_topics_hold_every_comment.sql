with known as (
    select source, count(*) as comments
    from {{ ref('int_feedback_comments_listed') }}
    group by source
),

matched as (
    select source, count(*) as comments
    from (
        select source, source_id
        from {{ ref('int_feedback_topics_assigned') }}
        where topic != 'unmatched'
        group by source, source_id
    ) as matched_comments
    group by source
),

published as (
    select
        source,
        max(total_comments) as total_comments,
        sum(case when topic = 'unmatched' then comments end) as unmatched_comments
    from {{ ref('feedback_topics') }}
    where period_grain = 'all' and source != 'all'
    group by source
),

monthly as (
    select
        source,
        sum(case when topic = 'unmatched' then total_comments end) as total_comments,
        sum(case when topic = 'unmatched' then comments end) as unmatched_comments
    from {{ ref('feedback_topics') }}
    where period_grain = 'month'
    group by source
)

select
    coalesce(known.source, published.source) as source,
    known.comments,
    coalesce(matched.comments, 0) as matched_comments,
    published.unmatched_comments,
    published.total_comments
from known
full outer join published on known.source = published.source
left join matched on known.source = matched.source
left join monthly on known.source = monthly.source
where
    known.comments is distinct from published.total_comments
    or known.comments != coalesce(matched.comments, 0) + published.unmatched_comments
    or monthly.total_comments is distinct from published.total_comments
    or monthly.unmatched_comments is distinct from published.unmatched_comments
