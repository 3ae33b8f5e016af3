//! A server that speaks Qdrant's protocol, over the embedded store: what the driver says goes through real gRPC.

use ::qdrant_client::Payload;
use ::qdrant_client::qdrant::collections_server::{Collections, CollectionsServer};
use ::qdrant_client::qdrant::condition::ConditionOneOf;
use ::qdrant_client::qdrant::r#match::MatchValue;
use ::qdrant_client::qdrant::points_selector::PointsSelectorOneOf;
use ::qdrant_client::qdrant::points_server::{Points, PointsServer};
use ::qdrant_client::qdrant::{self, *};
use aivm_host::memory::vectors::{Embedded, Space, Vectors};
use aivm_host::memory::{File, Filter, Place, Search};
use serde_json::{Map, Value as Json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

/// The server.
#[derive(Clone, Debug)]
pub struct Server {
    file: File,
    dimensions: Arc<Mutex<HashMap<String, usize>>>,
}

impl Server {
    /// Serves until the task ends; its address.
    pub async fn start() -> (String, tokio::task::JoinHandle<()>) {
        let server = Server { file: File::fleeting(), dimensions: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let incoming = tonic::transport::server::TcpIncoming::from(listener);
            let services = tonic::transport::Server::builder()
                .add_service(CollectionsServer::new(server.clone()))
                .add_service(PointsServer::new(server));
            services.serve_with_incoming(incoming).await.unwrap();
        });
        (url, task)
    }

    fn space(&self, name: &str) -> Result<Space, Status> {
        let dimensions = self.dimensions.lock().unwrap().get(name).copied();
        let dimensions = dimensions.ok_or_else(|| Status::not_found(format!("Collection `{name}` doesn't exist!")))?;
        Ok(Space { place: Place::Global, collection: name.to_owned(), embedder: "given".to_owned(), dimensions })
    }

    /// All points that a filter takes, in order of their ids.
    async fn points(
        &self,
        name: &str,
        filter: Option<&qdrant::Filter>,
    ) -> Result<Vec<(String, Map<String, Json>)>, Status> {
        let notes = self.file.notes(&self.space(name)?, "", usize::MAX).await.map_err(failed)?;
        let points = notes.into_iter().map(|note| (note.id, note.metadata));
        Ok(points.filter(|(_, payload)| filter.is_none_or(|filter| takes(filter, payload))).collect())
    }
}

fn failed(error: aivm_host::memory::MemoryError) -> Status {
    Status::internal(error.to_string())
}

fn id_of(id: Option<PointId>) -> Result<String, Status> {
    match id.and_then(|id| id.point_id_options) {
        Some(point_id::PointIdOptions::Uuid(id)) => Ok(id),
        other => Err(Status::invalid_argument(format!("{other:?} is no id"))),
    }
}

fn payload_of(payload: Map<String, Json>) -> HashMap<String, qdrant::Value> {
    Payload::from(payload).into()
}

/// A filter, as the server's documentation says it.
fn takes(filter: &qdrant::Filter, payload: &Map<String, Json>) -> bool {
    let holds = |condition: &Condition| match condition.condition_one_of.as_ref().expect("a condition") {
        ConditionOneOf::Filter(filter) => takes(filter, payload),
        ConditionOneOf::Field(field) => {
            let mut value = payload.get(field.key.split('.').next().expect("a name"));
            for name in field.key.split('.').skip(1) {
                value = value.and_then(|value| value.get(name));
            }
            let elements = match value {
                None => &[][..],
                Some(Json::Array(elements)) => elements,
                Some(other) => std::slice::from_ref(other),
            };
            let matching = |value: &Json| match field.r#match.as_ref().and_then(|wanted| wanted.match_value.as_ref()) {
                None => true,
                Some(MatchValue::Keyword(text)) => value.as_str() == Some(text),
                Some(MatchValue::Boolean(truth)) => value.as_bool() == Some(*truth),
                Some(other) => panic!("{other:?} is not asked"),
            };
            let in_range = |value: &Json| match (&field.range, value.as_f64()) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(range), Some(number)) => {
                    range.gt.is_none_or(|bound| number > bound)
                        && range.gte.is_none_or(|bound| number >= bound)
                        && range.lt.is_none_or(|bound| number < bound)
                        && range.lte.is_none_or(|bound| number <= bound)
                }
            };
            elements.iter().any(|value| matching(value) && in_range(value))
        }
        other => panic!("{other:?} is not asked"),
    };
    filter.must.iter().all(holds)
        && (filter.should.is_empty() || filter.should.iter().any(holds))
        && !filter.must_not.iter().any(holds)
}

fn done() -> Answer<PointsOperationResponse> {
    Ok(Response::new(PointsOperationResponse::default()))
}

/// What nobody asks here.
macro_rules! unasked {
    ($($name:ident($request:ident) -> $response:ident;)*) => {
        $(
            #[allow(clippy::type_complexity, clippy::type_repetition_in_bounds)]
            fn $name<'life0, 'async_trait>(
                &'life0 self,
                _: Request<$request>,
            ) -> std::pin::Pin<Box<dyn Future<Output = Answer<$response>> + Send + 'async_trait>>
            where
                'life0: 'async_trait,
                Self: 'async_trait,
            {
                Box::pin(async { Err(Status::unimplemented(stringify!($name))) })
            }
        )*
    };
}

#[tonic::async_trait]
impl Collections for Server {
    async fn create(&self, request: Request<CreateCollection>) -> Answer<CollectionOperationResponse> {
        let request = request.into_inner();
        let config = request.vectors_config.and_then(|config| config.config);
        let Some(vectors_config::Config::Params(params)) = config else {
            return Err(Status::invalid_argument("it has no vectors"));
        };
        let mut all = self.dimensions.lock().unwrap();
        if all.insert(request.collection_name.clone(), params.size as usize).is_some() {
            return Err(Status::already_exists(format!("Collection `{}` already exists!", request.collection_name)));
        }
        Ok(Response::new(CollectionOperationResponse { result: true, time: 0.0 }))
    }

    async fn delete(&self, request: Request<DeleteCollection>) -> Answer<CollectionOperationResponse> {
        let name = request.into_inner().collection_name;
        let space = self.space(&name)?;
        self.file.clear(&space).await.map_err(failed)?;
        self.dimensions.lock().unwrap().remove(&name);
        Ok(Response::new(CollectionOperationResponse { result: true, time: 0.0 }))
    }

    async fn collection_exists(&self, request: Request<CollectionExistsRequest>) -> Answer<CollectionExistsResponse> {
        let exists = self.dimensions.lock().unwrap().contains_key(&request.into_inner().collection_name);
        Ok(Response::new(CollectionExistsResponse { result: Some(CollectionExists { exists }), time: 0.0 }))
    }

    unasked! {
        get(GetCollectionInfoRequest) -> GetCollectionInfoResponse;
        list(ListCollectionsRequest) -> ListCollectionsResponse;
        update(UpdateCollection) -> CollectionOperationResponse;
        update_aliases(ChangeAliases) -> CollectionOperationResponse;
        list_collection_aliases(ListCollectionAliasesRequest) -> ListAliasesResponse;
        list_aliases(ListAliasesRequest) -> ListAliasesResponse;
        collection_cluster_info(CollectionClusterInfoRequest) -> CollectionClusterInfoResponse;
        update_collection_cluster_setup(UpdateCollectionClusterSetupRequest) -> UpdateCollectionClusterSetupResponse;
        create_shard_key(CreateShardKeyRequest) -> CreateShardKeyResponse;
        delete_shard_key(DeleteShardKeyRequest) -> DeleteShardKeyResponse;
        list_shard_keys(ListShardKeysRequest) -> ListShardKeysResponse;
    }
}

#[tonic::async_trait]
impl Points for Server {
    async fn upsert(&self, request: Request<UpsertPoints>) -> Answer<PointsOperationResponse> {
        let request = request.into_inner();
        let space = self.space(&request.collection_name)?;
        let mut notes = Vec::new();
        for point in request.points {
            let vector = match point.vectors.and_then(|vectors| vectors.vectors_options) {
                Some(vectors::VectorsOptions::Vector(Vector {
                    vector: Some(vector::Vector::Dense(dense)), ..
                })) => dense.data,
                other => return Err(Status::invalid_argument(format!("{other:?}"))),
            };
            if vector.len() != space.dimensions {
                return Err(Status::invalid_argument("Wrong input: Vector dimension error"));
            }
            let metadata: Map<String, Json> = Payload::from(point.payload).into();
            notes.push(Embedded { id: id_of(point.id)?, metadata, parts: vec![("point".to_owned(), vector)] });
        }
        self.file.put(&space, notes).await.map_err(failed)?;
        done()
    }

    async fn delete(&self, request: Request<DeletePoints>) -> Answer<PointsOperationResponse> {
        let request = request.into_inner();
        let space = self.space(&request.collection_name)?;
        let ids = match request.points.and_then(|points| points.points_selector_one_of) {
            Some(PointsSelectorOneOf::Filter(filter)) => {
                let points = self.points(&request.collection_name, Some(&filter)).await?;
                points.into_iter().map(|(id, _)| id).collect()
            }
            Some(PointsSelectorOneOf::Points(points)) => {
                points.ids.into_iter().map(|id| id_of(Some(id))).collect::<Result<Vec<_>, _>>()?
            }
            None => return Err(Status::invalid_argument("no points")),
        };
        self.file.take(&space, &ids).await.map_err(failed)?;
        done()
    }

    async fn scroll(&self, request: Request<ScrollPoints>) -> Answer<ScrollResponse> {
        let request = request.into_inner();
        let mut points = self.points(&request.collection_name, request.filter.as_ref()).await?;
        if request.offset.is_some() {
            let offset = id_of(request.offset)?;
            points.retain(|(id, _)| *id >= offset);
        }
        let most = request.limit.unwrap_or(10) as usize;
        let next_page_offset = points.get(most).map(|(id, _)| PointId::from(id.clone()));
        let result = points.into_iter().take(most).map(|(id, payload)| RetrievedPoint {
            id: Some(id.into()),
            payload: payload_of(payload),
            ..RetrievedPoint::default()
        });
        Ok(Response::new(ScrollResponse { result: result.collect(), next_page_offset, ..ScrollResponse::default() }))
    }

    async fn count(&self, request: Request<CountPoints>) -> Answer<CountResponse> {
        let request = request.into_inner();
        let count = self.points(&request.collection_name, request.filter.as_ref()).await?.len() as u64;
        Ok(Response::new(CountResponse { result: Some(CountResult { count }), ..CountResponse::default() }))
    }

    async fn query(&self, request: Request<QueryPoints>) -> Answer<QueryResponse> {
        let request = request.into_inner();
        let space = self.space(&request.collection_name)?;
        let nearest = match request.query.and_then(|query| query.variant) {
            Some(query::Variant::Nearest(VectorInput { variant: Some(vector_input::Variant::Dense(dense)) })) => {
                dense.data
            }
            other => return Err(Status::invalid_argument(format!("{other:?}"))),
        };
        let most = usize::MAX;
        let hits = self.file.nearest(&space, &nearest, &Filter::All, most, Search::Exact).await.map_err(failed)?;
        let taken = hits
            .into_iter()
            .filter(|hit| request.filter.as_ref().is_none_or(|filter| takes(filter, &hit.note.metadata)));
        let result = taken.take(request.limit.unwrap_or(10) as usize).map(|hit| ScoredPoint {
            id: Some(hit.note.id.into()),
            payload: payload_of(hit.note.metadata),
            score: hit.score,
            ..ScoredPoint::default()
        });
        Ok(Response::new(QueryResponse { result: result.collect(), ..QueryResponse::default() }))
    }

    async fn create_field_index(
        &self,
        request: Request<CreateFieldIndexCollection>,
    ) -> Answer<PointsOperationResponse> {
        self.space(&request.into_inner().collection_name)?;
        done()
    }

    unasked! {
        get(GetPoints) -> GetResponse;
        update_vectors(UpdatePointVectors) -> PointsOperationResponse;
        delete_vectors(DeletePointVectors) -> PointsOperationResponse;
        set_payload(SetPayloadPoints) -> PointsOperationResponse;
        overwrite_payload(SetPayloadPoints) -> PointsOperationResponse;
        delete_payload(DeletePayloadPoints) -> PointsOperationResponse;
        clear_payload(ClearPayloadPoints) -> PointsOperationResponse;
        delete_field_index(DeleteFieldIndexCollection) -> PointsOperationResponse;
        create_vector_name(CreateVectorNameRequest) -> PointsOperationResponse;
        delete_vector_name(DeleteVectorNameRequest) -> PointsOperationResponse;
        search(SearchPoints) -> SearchResponse;
        search_batch(SearchBatchPoints) -> SearchBatchResponse;
        search_groups(SearchPointGroups) -> SearchGroupsResponse;
        recommend(RecommendPoints) -> RecommendResponse;
        recommend_batch(RecommendBatchPoints) -> RecommendBatchResponse;
        recommend_groups(RecommendPointGroups) -> RecommendGroupsResponse;
        discover(DiscoverPoints) -> DiscoverResponse;
        discover_batch(DiscoverBatchPoints) -> DiscoverBatchResponse;
        update_batch(UpdateBatchPoints) -> UpdateBatchResponse;
        query_batch(QueryBatchPoints) -> QueryBatchResponse;
        query_groups(QueryPointGroups) -> QueryGroupsResponse;
        facet(FacetCounts) -> FacetResponse;
        search_matrix_pairs(SearchMatrixPoints) -> SearchMatrixPairsResponse;
        search_matrix_offsets(SearchMatrixPoints) -> SearchMatrixOffsetsResponse;
    }
}
