import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.doris.flink.catalog.doris.DataModel;
import org.apache.doris.flink.catalog.doris.FieldSchema;
import org.apache.doris.flink.catalog.doris.TableSchema;
import org.apache.doris.flink.cfg.DorisExecutionOptions;
import org.apache.doris.flink.cfg.DorisOptions;
import org.apache.doris.flink.cfg.DorisReadOptions;
import org.apache.doris.flink.rest.models.RespContent;
import org.apache.doris.flink.sink.BackendUtil;
import org.apache.doris.flink.sink.DorisCommittable;
import org.apache.doris.flink.sink.HttpUtil;
import org.apache.doris.flink.sink.committer.DorisCommitter;
import org.apache.doris.flink.sink.schema.SchemaChangeManager;
import org.apache.doris.flink.sink.writer.DorisStreamLoad;
import org.apache.doris.flink.sink.writer.LabelGenerator;
import org.apache.flink.api.connector.sink2.Committer;

/**
 * Doris FENODES USER PASSWORD: has the official Flink connector do all that it knows to do to
 * a cluster, in database shop, and prints a line for each step. It ends with an error at the
 * first one that does not come out as it must.
 */
public class Doris {
    static DorisOptions options;
    static HttpUtil http = new HttpUtil();

    public static void main(String[] args) throws Exception {
        options = DorisOptions.builder().setFenodes(args[0]).setTableIdentifier("shop.orders")
            .setUsername(args[1]).setPassword(args[2]).setAutoRedirect(true).build();
        BackendUtil backends = BackendUtil.getInstance(options, DorisReadOptions.builder().build(), org.slf4j.LoggerFactory.getLogger("doris"));
        step("backends", BackendUtil.tryHttpConnection(backends.getAvailableBackend()));
        tables();
        loads(backends.getAvailableBackend());
    }

    static void tables() throws Exception {
        SchemaChangeManager ddl = new SchemaChangeManager(options, "UTF-8");
        TableSchema t = new TableSchema();
        t.setDatabase("shop");
        t.setTable("orders");
        Map<String, FieldSchema> fields = new LinkedHashMap<>();
        fields.put("id", new FieldSchema("id", "LARGEINT", "pk"));
        fields.put("note", new FieldSchema("note", "VARCHAR(60)", "it's a \"note\""));
        t.setFields(fields);
        t.setKeys(Collections.singletonList("id"));
        t.setDistributeKeys(Collections.singletonList("id"));
        t.setModel(DataModel.UNIQUE);
        t.setProperties(new LinkedHashMap<>(Collections.singletonMap("light_schema_change", "true")));
        ddl.execute("CREATE DATABASE IF NOT EXISTS `shop`", "shop");
        step("create", ddl.createTable(t));
        step("add column", ddl.addColumn("shop", "orders", new FieldSchema("size", "INT", "1", "it's")));
        step("column is there", ddl.checkColumnExists("shop", "orders", "size"));
        step("schema", ddl.getTableSchema("shop", "orders").size() == 3);
    }

    static DorisExecutionOptions execution() {
        Properties p = new Properties();
        p.setProperty("format", "json");
        p.setProperty("read_json_by_line", "true");
        return DorisExecutionOptions.builder().setLabelPrefix("official").setStreamLoadProp(p).setDeletable(true).build();
    }

    static RespContent load(String backend, long id, String label, String... rows) throws Exception {
        LabelGenerator labels = new LabelGenerator("official", true, "shop.orders", 0);
        DorisStreamLoad load = new DorisStreamLoad(backend, options, execution(), labels, http.getHttpClient());
        load.startLoad(label == null ? labels.generateTableLabel(id) : label, false);
        for (String row : rows) {
            load.writeRecord(row.getBytes(StandardCharsets.UTF_8));
        }
        RespContent r = load.stopLoad();
        load.close();
        return r;
    }

    static void commit(RespContent r, String backend) throws Exception {
        DorisCommitter committer = new DorisCommitter(options, DorisReadOptions.builder().build(), execution(), http.getHttpClient());
        committer.commit(Collections.singletonList(new Request(new DorisCommittable(backend, "shop", r.getTxnId()))));
    }

    static void loads(String backend) throws Exception {
        RespContent one = load(backend, 1, null, "{\"id\":1,\"note\":\"a\",\"__DORIS_DELETE_SIGN__\":\"0\"}", "{\"id\":2,\"note\":\"b\",\"__DORIS_DELETE_SIGN__\":\"0\"}");
        step("precommit", one.getStatus().equals("Success") && one.getTwoPhaseCommit().equals("true") && one.getNumberLoadedRows() == 2);
        commit(one, backend);
        step("commit", true);
        commit(one, backend);
        step("commit again", true);
        RespContent again = load(backend, 1, null, "{\"id\":3,\"note\":\"c\",\"__DORIS_DELETE_SIGN__\":\"0\"}");
        step("a label that is finished", again.getStatus().equals("Label Already Exists") && again.getExistingJobStatus().equals("FINISHED"));
        RespContent two = load(backend, 2, null, "{\"id\":2,\"__DORIS_DELETE_SIGN__\":\"1\"}", "{\"id\":4,\"note\":\"d\",\"__DORIS_DELETE_SIGN__\":\"0\"}");
        LabelGenerator labels = new LabelGenerator("official", true, "shop.orders", 0);
        new DorisStreamLoad(backend, options, execution(), labels, http.getHttpClient()).abortPreCommit("official", 2);
        step("abort what lingers", true);
        two = load(backend, 2, null, "{\"id\":2,\"__DORIS_DELETE_SIGN__\":\"1\"}", "{\"id\":4,\"note\":\"d\",\"__DORIS_DELETE_SIGN__\":\"0\"}");
        step("the label of one that was aborted", two.getStatus().equals("Success"));
        commit(two, backend);
        step("commit of deletes", true);
    }

    /** What Flink hands to a committer. */
    static class Request implements Committer.CommitRequest<DorisCommittable> {
        final DorisCommittable committable;

        Request(DorisCommittable committable) {
            this.committable = committable;
        }

        public DorisCommittable getCommittable() {
            return committable;
        }

        public int getNumberOfRetries() {
            return 0;
        }

        public void signalFailedWithKnownReason(Throwable t) {
            throw new IllegalStateException(t);
        }

        public void signalFailedWithUnknownReason(Throwable t) {
            throw new IllegalStateException(t);
        }

        public void retryLater() {
            throw new IllegalStateException("to be tried again");
        }

        public void updateAndRetryLater(DorisCommittable committable) {
            retryLater();
        }

        public void signalAlreadyCommitted() {}
    }

    static void step(String what, boolean ok) {
        if (!ok) {
            System.out.println("FAILED: " + what);
            System.exit(1);
        }
        System.out.println("ok: " + what);
    }
}
