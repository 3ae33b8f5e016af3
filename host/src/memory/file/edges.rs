//! The graph in the file: one table of edges, walked by recursive statements.

use super::{File, metadata};
use crate::memory::graph::Graph;
use crate::memory::vectors::Later;
use crate::memory::{Edge, Filter, Place};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use rustc_hash::FxHashMap;

fn edge(row: &Row<'_>) -> rusqlite::Result<Edge> {
    let metadata = metadata(row.get_ref(3)?.as_str()?)?;
    Ok(Edge { from: row.get(0)?, relation: row.get(1)?, to: row.get(2)?, metadata })
}

/// The edge of these ends and this relation.
fn find(database: &Transaction<'_>, place: &str, wanted: &Edge) -> rusqlite::Result<Option<Edge>> {
    let select = "SELECT source, relation, target, metadata FROM edge
        WHERE place = ?1 AND source = ?2 AND relation = ?3 AND target = ?4";
    let ends = params![place, wanted.from, wanted.relation, wanted.to];
    database.prepare_cached(select)?.query_row(ends, edge).optional()
}

/// How far nodes are from a node against the edges' direction, as far as `most`.
const BEFORE: &str = "
WITH RECURSIVE reach (node, depth) AS (
    VALUES (?2, 0)
    UNION SELECT source, depth + 1 FROM reach JOIN edge ON place = ?1 AND target = node WHERE depth < ?3
)";

impl Graph for File {
    fn places(&self) -> Later<'_, Vec<(Place, u64)>> {
        self.read(Vec::new(), |database| {
            let mut select =
                database.prepare_cached("SELECT place, count(*) FROM edge GROUP BY place ORDER BY place")?;
            let places = select.query_map([], |row| {
                let place = Place::parse(&row.get::<_, String>(0)?).ok_or_else(|| super::nonsense("a place"))?;
                Ok((place, row.get::<_, i64>(1)? as u64))
            })?;
            places.collect()
        })
    }

    fn link<'a>(&'a self, place: &'a Place, edge: Edge) -> Later<'a, Option<Edge>> {
        let place = place.to_string();
        self.write(move |database| {
            let before = find(database, &place, &edge)?;
            let json = serde_json::Value::Object(edge.metadata).to_string();
            let insert = "INSERT OR REPLACE INTO edge VALUES (?1, ?2, ?3, ?4, ?5)";
            database.prepare_cached(insert)?.execute(params![place, edge.from, edge.relation, edge.to, json])?;
            Ok(before)
        })
    }

    fn unlink<'a>(&'a self, place: &'a Place, edge: &'a Edge) -> Later<'a, Option<Edge>> {
        if !self.is_there() {
            return Box::pin(async { Ok(None) });
        }
        let (place, edge) = (place.to_string(), edge.clone());
        self.write(move |database| {
            let before = find(database, &place, &edge)?;
            let delete = "DELETE FROM edge WHERE place = ?1 AND source = ?2 AND relation = ?3 AND target = ?4";
            database.prepare_cached(delete)?.execute(params![place, edge.from, edge.relation, edge.to])?;
            Ok(before)
        })
    }

    fn neighbours<'a>(
        &'a self,
        place: &'a Place,
        node: &'a str,
        relation: Option<&'a str>,
        hops: u32,
        most: usize,
    ) -> Later<'a, Vec<Edge>> {
        let (place, node, relation) = (place.to_string(), node.to_owned(), relation.map(str::to_owned));
        self.read(Vec::new(), move |database| {
            let select = "
WITH RECURSIVE reach (node, depth) AS (
    VALUES (?2, 0)
    UNION SELECT target, depth + 1 FROM reach JOIN edge ON place = ?1 AND source = node
        WHERE depth + 1 < ?4 AND (?3 IS NULL OR relation = ?3)
    UNION SELECT source, depth + 1 FROM reach JOIN edge ON place = ?1 AND target = node
        WHERE depth + 1 < ?4 AND (?3 IS NULL OR relation = ?3)
), near (node, depth) AS MATERIALIZED (SELECT node, min(depth) FROM reach GROUP BY node)
SELECT source, relation, target, metadata, min(depth) AS depth FROM (
    SELECT edge.*, depth FROM near JOIN edge ON place = ?1 AND source = node
    UNION ALL SELECT edge.*, depth FROM near JOIN edge ON place = ?1 AND target = node
) WHERE ?3 IS NULL OR relation = ?3
GROUP BY source, relation, target ORDER BY depth, source, relation, target LIMIT ?5";
            let mut select = database.prepare_cached(select)?;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let edges = select.query_map(params![place, node, relation, hops, most], edge)?;
            edges.collect()
        })
    }

    fn path<'a>(
        &'a self,
        place: &'a Place,
        from: &'a str,
        to: &'a str,
        most_hops: u32,
    ) -> Later<'a, Option<Vec<Edge>>> {
        let (place, from, to) = (place.to_string(), from.to_owned(), to.to_owned());
        self.read(None, move |database| {
            if from == to {
                return Ok(Some(Vec::new()));
            }
            // The first that is found is the nearest: rows come in order of their depth.
            let select = format!("{BEFORE} SELECT depth FROM reach WHERE node = ?4 LIMIT 1");
            let far = database.prepare_cached(&select)?;
            let far: Option<u32> =
                { far }.query_row(params![place, to, most_hops, from], |row| row.get(0)).optional()?;
            let Some(far) = far else { return Ok(None) };
            let select = format!("{BEFORE} SELECT node, min(depth) FROM reach GROUP BY node");
            let mut select = database.prepare_cached(&select)?;
            let reach = select.query_map(params![place, to, far], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let reach: FxHashMap<String, u32> = reach.collect::<rusqlite::Result<_>>()?;
            let select =
                "SELECT source, relation, target, metadata FROM edge WHERE place = ?1 AND source = ?2 ORDER BY 2, 3";
            let mut select = database.prepare_cached(select)?;
            let (mut path, mut node) = (Vec::new(), from);
            for left in (0..far).rev() {
                let mut rows = select.query(params![place, node])?;
                let next = loop {
                    let row = rows.next()?.ok_or_else(|| super::nonsense("a path breaks off"))?;
                    let target: String = row.get(2)?;
                    if reach.get(&target).is_some_and(|depth| *depth <= left) {
                        break edge(row)?;
                    }
                };
                node = next.to.clone();
                path.push(next);
            }
            Ok(Some(path))
        })
    }

    fn matching<'a>(
        &'a self,
        place: &'a Place,
        relation: Option<&'a str>,
        filter: &'a Filter,
        after: Option<&'a Edge>,
        most: usize,
    ) -> Later<'a, Vec<Edge>> {
        let (place, relation, filter) = (place.to_string(), relation.map(str::to_owned), filter.clone());
        let after = after.map(|edge| (edge.from.clone(), edge.relation.clone(), edge.to.clone())).unwrap_or_default();
        self.read(Vec::new(), move |database| {
            let select = "SELECT source, relation, target, metadata FROM edge
                WHERE place = ?1 AND (source, relation, target) > (?2, ?3, ?4) AND (?5 IS NULL OR relation = ?5)
                ORDER BY source, relation, target";
            let mut select = database.prepare_cached(select)?;
            let mut rows = select.query(params![place, after.0, after.1, after.2, relation])?;
            let mut edges = Vec::new();
            while edges.len() < most
                && let Some(row) = rows.next()?
            {
                let edge = edge(row)?;
                if filter.matches(&edge.metadata) {
                    edges.push(edge);
                }
            }
            Ok(edges)
        })
    }
}
